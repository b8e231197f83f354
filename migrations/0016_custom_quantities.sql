-- +goose Up

-- Custom quantities of outcomes: [{"name", "value"}], null where the experiment's
-- metrics need none.
alter table outcomes add column custom json;

-- Return windows of people's own: return_K_L, from day K up to day L. What is there
-- was checked by the narrower rule that this one replaces.
alter table outcomes
    drop constraint outcomes_win_check,
    add constraint outcomes_win_check
        check (win ~ '^(first|day|return_d1|return_d7|return_[1-9][0-9]?_[1-9][0-9]?)$') not valid;
