-- +goose Up

-- Units that somebody else exposed: no window of theirs closes by the clock. What
-- they did comes in imported_outcomes: as such, or made of imported sessions.
alter table exposures add column imported text not null default '' check (imported in ('', 'sessions', 'outcomes'));

-- Outcomes that somebody else measured, or that were made of imported sessions,
-- until the next look takes them. They are kept: an import that is repeated finds
-- them here.
create table imported_outcomes (
    experiment_id bigint not null,
    version       integer not null,
    win           text collate "C" not null
                  check (win ~ '^(first|day|return_d1|return_d7|return_[1-9][0-9]?_[1-9][0-9]?)$'),
    unit_id       text collate "C" not null,
    arm           smallint not null check (arm >= 0),
    exposed_at    timestamptz not null,
    imported_at   timestamptz not null,
    quantities    double precision[] not null,
    dims          text[] not null,
    primary key (experiment_id, version, win, unit_id)
);
create index imported_outcomes_at on imported_outcomes (experiment_id, version, win, imported_at, unit_id);
create trigger imported_outcomes_append_only before update or delete or truncate on imported_outcomes
    execute function refuse_change();

-- Imported outcomes by arm, kept by the transaction that writes them.
create table imported_counts (
    experiment_id bigint not null,
    version       integer not null,
    win           text collate "C" not null,
    arm           smallint not null,
    count         bigint not null check (count > 0),
    primary key (experiment_id, version, win, arm)
);
