-- +goose Up

-- What the schedule has done and does next. next_step_at is derived from spec
-- and status at each write, so that asking what is due reads one index.
alter table experiments
    add column ramp_slots   integer not null default 0
        constraint experiments_ramp_slots check (ramp_slots between 0 and 10000),
    add column ramped_at    timestamptz,
    add column next_step_at timestamptz,
    add constraint experiments_shipped check (shipped_arm = '' or status in ('stopped', 'archived'));
create index experiments_next_step on experiments (next_step_at) where next_step_at is not null;

-- A restart draws every unit again: another salt, but never within a version.
drop trigger experiments_salt on experiments;
create trigger experiments_salt before update on experiments for each row
    when (new.salt <> old.salt and new.version <= old.version) execute function refuse_new_salt();

-- With salt and slots a revision says which arm every unit was in.
alter table experiment_versions
    add column salt        text,
    add column shipped_arm text not null default '';
alter table experiment_versions disable trigger experiment_versions_append_only;
update experiment_versions v set salt = e.salt from experiments e where e.id = v.experiment_id;
alter table experiment_versions enable trigger experiment_versions_append_only;
alter table experiment_versions
    alter column salt set not null,
    add constraint experiment_versions_salt check (salt <> '');

-- Units kept out of all experiments on their type, by a salt of their own.
create table holdouts (
    id         integer generated always as identity primary key,
    key        text collate "C" not null constraint holdouts_key_unique unique,
    unit       text not null check (unit in ('viewer', 'broadcaster', 'device', 'session', 'block')),
    slots      integer not null constraint holdouts_slots check (slots between 1 and 9999),
    salt       text not null check (salt <> ''),
    created_at timestamptz not null,
    ended_at   timestamptz
);
create trigger holdouts_salt before update on holdouts for each row
    when (new.salt <> old.salt or new.unit <> old.unit) execute function refuse_new_salt();

-- Named sets of ids, one a line and ascending, as digest covers them.
create table lists (
    id         integer generated always as identity primary key,
    key        text collate "C" not null constraint lists_key_unique unique,
    unit       text not null check (unit in ('', 'viewer', 'broadcaster', 'device', 'session', 'block')),
    digest     text not null check (digest ~ '^[0-9a-f]{64}$'),
    count      integer not null constraint lists_count check (count between 1 and 100000),
    ids        text not null,
    changed_at timestamptz not null
);

-- Which experiments refer to which lists: one in use cannot be removed.
create table experiment_lists (
    experiment_id bigint not null references experiments (id),
    list_id       integer not null constraint experiment_lists_in_use references lists (id),
    primary key (experiment_id, list_id)
);
create index experiment_lists_list on experiment_lists (list_id);

-- Prerequisites. Cycles are refused by the program, which names their path.
create table experiment_requires (
    experiment_id bigint not null references experiments (id),
    required_id   bigint not null references experiments (id),
    primary key (experiment_id, required_id),
    constraint experiment_requires_other check (experiment_id <> required_id)
);
create index experiment_requires_required on experiment_requires (required_id);

-- Windows within which nothing that changes assignment is published.
create table freezes (
    key       text collate "C" primary key,
    starts_at timestamptz not null,
    ends_at   timestamptz not null,
    reason    text not null check (reason <> ''),
    constraint freezes_window check (ends_at > starts_at)
);
create index freezes_ends on freezes (ends_at);

-- The units that keep their arms while an experiment is paused: 64 bits of the
-- SHA-256 of each, ascending.
create table kept_units (
    experiment_id bigint primary key references experiments (id),
    version       integer not null check (version >= 1),
    digest        text not null check (digest ~ '^[0-9a-f]{64}$'),
    hashes        bytea not null,
    constraint kept_units_limit check (octet_length(hashes) % 8 = 0 and octet_length(hashes) <= 8000000)
);
alter table kept_units alter column hashes set storage external; -- hashes do not compress
