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
    at              timestamptz not null, -- in whole milliseconds, as sessions
    recorded_at     timestamptz not null,
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

-- Units counted by the statements that recorded them, as differences: counting
-- all again at each look would cost the whole history. A look folds the rows up
-- to its watermark into one per arm.
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

-- +goose StatementBegin
create function count_new_exposures() returns trigger language plpgsql as $$
begin
    insert into exposure_counts
    select experiment_id, version, max(greatest(recorded_at, crossed_at)), arm,
           count(*) filter (where not override and crossed_at is null),
           count(*) filter (where not override and crossed_at is not null),
           count(*) filter (where override)
    from rows_new
    group by experiment_id, version, arm;
    return null;
end
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create function count_changed_exposures() returns trigger language plpgsql as $$
begin
    insert into exposure_counts
    select experiment_id, version, max(at), arm, sum(exposed), sum(crossed), sum(overridden)
    from (
        select experiment_id, version, arm, greatest(recorded_at, crossed_at) as at,
               (not override and crossed_at is null)::int as exposed,
               (not override and crossed_at is not null)::int as crossed,
               override::int as overridden
        from rows_new
        union all
        select experiment_id, version, arm, null,
               -(not override and crossed_at is null)::int,
               -(not override and crossed_at is not null)::int,
               -override::int
        from rows_old
    ) d
    group by experiment_id, version, arm
    having sum(exposed) <> 0 or sum(crossed) <> 0 or sum(overridden) <> 0;
    return null;
end
$$;
-- +goose StatementEnd

create trigger exposures_count_new after insert on exposures
    referencing new table as rows_new
    for each statement execute function count_new_exposures();
create trigger exposures_count_changed after update on exposures
    referencing old table as rows_old new table as rows_new
    for each statement execute function count_changed_exposures();
create trigger exposures_kept before delete or truncate on exposures
    execute function refuse_change();

-- Sessions whose player carries no viewer id, joined to the unit that an
-- exposure named. The first link stays.
create table session_links (
    session_id text collate "C" primary key,
    unit_type  text not null,
    unit_id    text collate "C" not null,
    linked_at  timestamptz not null
);
create index session_links_unit on session_links (unit_id, unit_type);
