-- +goose Up

-- Custom quantities of imported outcomes, and what their units did before the
-- exposure, in the forms of outcomes; null where nothing was given.
alter table imported_outcomes
    add column custom     json,
    add column covariates double precision[];
