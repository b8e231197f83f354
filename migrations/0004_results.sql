-- +goose Up

-- What each unit did within a window: fixed when the window closed, never
-- changed, never counted again. Any past look follows from the rows with a look
-- number up to its own. Quantities and dims are in the order of
-- metrics.Quantity and metrics.Dimensions, which only ever grow at the end.
create table outcomes (
    day           date not null, -- of closes_at
    experiment_id bigint not null,
    version       integer not null,
    win           text collate "C" not null check (win in ('first', 'day')),
    unit_id       text collate "C" not null,
    look          integer not null check (look >= 1),
    arm           smallint not null check (arm >= 0),
    exposed_at    timestamptz not null,
    closes_at     timestamptz not null,
    quantities    double precision[] not null,
    dims          text[] not null,
    primary key (experiment_id, version, win, day, unit_id)
) partition by range (day);
create trigger outcomes_append_only before update or delete on outcomes
    execute function refuse_change();

-- Outcomes fixed so far by arm, kept by the transaction that appends them.
create table outcome_counts (
    experiment_id bigint not null,
    version       integer not null,
    win           text collate "C" not null,
    arm           smallint not null,
    count         bigint not null check (count > 0),
    primary key (experiment_id, version, win, arm)
);

create table looks (
    experiment_id bigint not null references experiments (id),
    version       integer not null,
    number        integer not null check (number >= 1),
    at            timestamptz not null,
    watermark     timestamptz not null,
    arms          json not null check (json_typeof(arms) = 'array'),
    primary key (experiment_id, version, number)
);
create trigger looks_append_only before update or delete or truncate on looks
    execute function refuse_change();

-- The total cells of every look. Means are in two parts, see stats.Moments.
create table cells (
    experiment_id  bigint not null,
    version        integer not null,
    look           integer not null,
    metric         text collate "C" not null,
    metric_version integer not null,
    uncapped       boolean not null,
    arm            smallint not null check (arm >= 0),
    n              bigint not null check (n >= 0),
    mean_y         double precision not null,
    low_y          double precision not null,
    mean_x         double precision not null,
    low_x          double precision not null,
    m2_y           double precision not null,
    m2_x           double precision not null,
    c_xy           double precision not null,
    hist           json,
    primary key (experiment_id, version, look, metric, metric_version, uncapped, arm),
    foreign key (experiment_id, version, look) references looks (experiment_id, version, number)
);
create trigger cells_append_only before update or delete or truncate on cells
    execute function refuse_change();

-- The dimension cells of the newest look only: those of a past look follow from
-- the outcomes, and storing them all would cost a hundred times the totals.
create table dimension_cells (
    experiment_id  bigint not null,
    version        integer not null,
    metric         text collate "C" not null,
    metric_version integer not null,
    uncapped       boolean not null,
    arm            smallint not null check (arm >= 0),
    dimension      text collate "C" not null check (dimension <> ''),
    value          text collate "C" not null,
    n              bigint not null check (n >= 0),
    mean_y         double precision not null,
    low_y          double precision not null,
    mean_x         double precision not null,
    low_x          double precision not null,
    m2_y           double precision not null,
    m2_x           double precision not null,
    c_xy           double precision not null,
    hist           json,
    primary key (experiment_id, version, dimension, value, metric, metric_version, uncapped, arm)
);
