-- +goose Up

-- Who played is told beside the records of CMCD, which have no key for it. The
-- number of records bounds what a fold holds in memory.
alter table cmcd_sessions
    add column player         text collate "C" not null default '',
    add column player_version text collate "C" not null default '',
    add column records        bigint not null default 0;

-- Sessions whose players are told to stop reporting: by an administrator, or
-- because of more records than a fold takes.
create table telemetry_stops (
    session_id text collate "C" primary key,
    reason     text not null check (reason in ('asked', 'records')),
    actor      text not null,
    note       text not null,
    stopped_at timestamptz not null
);
create index telemetry_stops_newest on telemetry_stops (stopped_at);
