-- +goose Up

-- Outcomes that were made again: from look number look on they take the place of
-- those of the same unit and window in outcomes, which stay as they are.
create table restated_outcomes (
    day           date not null, -- of closes_at
    experiment_id bigint not null,
    version       integer not null,
    win           text collate "C" not null,
    unit_id       text collate "C" not null,
    look          integer not null check (look >= 2),
    arm           smallint not null check (arm >= 0),
    exposed_at    timestamptz not null,
    closes_at     timestamptz not null,
    quantities    double precision[] not null,
    dims          text[] not null,
    covariates    double precision[],
    custom        json,
    suspected     boolean not null,
    primary key (experiment_id, version, win, unit_id, look)
);
create trigger restated_outcomes_append_only before update or delete or truncate on restated_outcomes
    execute function refuse_change();

-- The days that were computed again at a look or before it, by whom and why.
alter table looks add column restated json;
