-- +goose Up

-- What a unit did before its exposure, where effects are adjusted by it: whether it
-- has a past, then number and value of each quantity that is not 0. Null: not read.
alter table outcomes add column covariates double precision[];

-- The joint moments of a metric with its past. Dimension cells have none; the column
-- is there because both tables are read and written alike.
alter table cells add column joint json;
alter table dimension_cells add column joint json;
