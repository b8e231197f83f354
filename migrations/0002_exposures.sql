-- +goose Up

-- The first time a unit met a version of an experiment. There is no foreign
-- key to experiments: checking one for each row would halve the rate, and the
-- ids come from experiments that are never deleted.
--
-- x_closes_at = max(at + span, recorded_at) + grace of window x, where
-- recorded_at is the clock when the row's facts were written: a row that comes
-- late closes late, and so is still met by the job, which reads by closes_at.
create table exposures (
    experiment_id   bigint not null,
    version         integer not null,
    unit_id         text collate "C" not null,
    arm             smallint not null check (arm >= 0),
    at              timestamptz not null,
    recorded_at     timestamptz not null,
    session_id      text collate "C" not null default '',
    override        boolean not null,
    crossed_at      timestamptz, -- when the unit was first seen in another arm
    attributes      json not null,
    first_closes_at timestamptz not null,
    day_closes_at   timestamptz not null,
    primary key (experiment_id, version, unit_id),
    constraint exposures_close_after_recorded check (first_closes_at > recorded_at and day_closes_at > recorded_at)
);
create index exposures_first_closes on exposures (experiment_id, version, first_closes_at, unit_id);
create index exposures_day_closes on exposures (experiment_id, version, day_closes_at, unit_id);

-- Units counted by the batches that recorded them, as differences: counting
-- again at each look would cost the whole history. A look folds the rows up to
-- its watermark into one.
create table exposure_counts (
    experiment_id bigint not null,
    version       integer not null,
    recorded_at   timestamptz not null,
    arm           smallint not null,
    exposed       bigint not null,
    crossed       bigint not null,
    overridden    bigint not null
);
create index exposure_counts_recorded on exposure_counts (experiment_id, version, recorded_at);

-- Sessions whose player carries no viewer id, joined to the unit that the
-- exposure named. The first link stays.
create table session_links (
    session_id text collate "C" primary key,
    unit_type  text not null,
    unit_id    text collate "C" not null,
    linked_at  timestamptz not null
);
create index session_links_unit on session_links (unit_id, unit_type);
