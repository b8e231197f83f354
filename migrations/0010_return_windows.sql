-- +goose Up

-- Outcomes of the windows in which units return. What is there was checked by the
-- narrower rule that this one replaces.
alter table outcomes
    drop constraint outcomes_win_check,
    add constraint outcomes_win_check check (win in ('first', 'day', 'return_d1', 'return_d7')) not valid;
