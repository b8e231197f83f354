-- +goose Up

-- The folded state of one viewing: columns and rules of telemetry.Session. All
-- moments are Unix milliseconds, as in the records. Counters carry no index and
-- pages keep room, so that an update stays on its page (HOT). Columns of fixed
-- width stand first: PostgreSQL walks over the others to reach what follows them,
-- which made updates of a batch 12 % slower.
create table sessions (
    identity_seq            bigint not null,
    first_recv_ms           bigint not null,
    start_seq               bigint not null,
    first_mark_seq          bigint not null,
    first_mark_recv_ms      bigint not null,
    first_mark_client_ts_ms bigint not null,
    first_mark_mono_ms      bigint not null,
    last_mark_seq           bigint not null,
    last_mark_recv_ms       bigint not null,
    last_mark_client_ts_ms  bigint not null,
    last_mark_mono_ms       bigint not null,
    play_ms                 bigint not null,
    stall_ms                bigint not null,
    stall_n                 bigint not null,
    stall_max_ms            bigint not null,
    seek_stall_ms           bigint not null,
    paused_ms               bigint not null,
    ad_ms                   bigint not null,
    hidden_ms               bigint not null,
    rung_ms                 bigint not null,
    rung_kbps_ms            bigint not null,
    top_rung_ms             bigint not null,
    bottom_rung_ms          bigint not null,
    height_ms               bigint not null,
    low_height_ms           bigint not null,
    switches_up             bigint not null,
    switches_down           bigint not null,
    frames                  bigint not null,
    dropped_frames          bigint not null,
    bytes                   bigint not null,
    errors_n                bigint not null,
    latency_ms_sum          bigint not null,
    latency_samples         bigint not null,
    latency_max             bigint not null,
    epoch                   bigint not null,
    observed                integer not null,
    telemetry_tier          smallint not null check (telemetry_tier between 1 and 4),
    play_requested          boolean not null,
    started                 boolean not null,
    ended                   boolean not null,
    session_id              text collate "C" primary key,
    viewer_id               text collate "C" not null,
    device_id               text collate "C" not null,
    channel_id              text collate "C" not null,
    broadcaster_id          text collate "C" not null,
    stream_id               text collate "C" not null,
    country                 text collate "C" not null,
    asn                     text collate "C" not null,
    device_class            text collate "C" not null,
    os                      text collate "C" not null,
    player                  text collate "C" not null,
    player_version          text collate "C" not null,
    net_class               text collate "C" not null,
    end_reason              text collate "C" not null,
    fatal_code              text collate "C" not null,
    clock_offset_ms         bigint,
    first_frame_ms          bigint,
    epochs                  json, -- null while all records are of one epoch
    -- Set within an ingest transaction on rows whose epochs differ from those of
    -- the batch; the transaction merges them in Go before it commits.
    needs_merge             boolean not null default false,
    constraint sessions_first_frame check (started or first_frame_ms is null)
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- The joins from a unit to its sessions. Sessions that do not name the unit
-- have no place in the index.
create index sessions_viewer on sessions (viewer_id, first_recv_ms) where viewer_id <> '';
create index sessions_device on sessions (device_id, first_recv_ms) where device_id <> '';
create index sessions_broadcaster on sessions (broadcaster_id, first_recv_ms) where broadcaster_id <> '';

-- CMCD records as received, by the day of their receipt. A record that is sent
-- again the same day is dropped here, one that is sent again the next day is
-- dropped by the fold.
create table cmcd_records (
    day        date not null,
    session_id text collate "C" not null,
    mode       smallint not null check (mode in (1, 2)),
    sn         bigint not null,
    recv_ms    bigint not null,
    key_id     bigint not null, -- of the API key that it came with
    raw        text not null,
    primary key (day, session_id, mode, sn)
) partition by range (day);

-- Which CMCD sessions have records that no fold has seen.
create table cmcd_sessions (
    session_id     text collate "C" primary key,
    first_recv_ms  bigint not null,
    last_recv_ms   bigint not null,
    folded_recv_ms bigint, -- last_recv_ms at the last fold; null before it
    dirty          boolean not null
) with (fillfactor = 70);
create index cmcd_sessions_dirty on cmcd_sessions (last_recv_ms) where dirty;

-- What was refused, counted by who sent it. Arms join through sessions.
create table rejections (
    day            date not null,
    source         text not null check (source in ('heartbeat', 'cmcd', 'request_log', 'broadcast', 'exposure')),
    reason         text not null,
    field          text not null,
    whole          boolean not null,
    player         text not null,
    player_version text not null,
    count          bigint not null check (count > 0),
    primary key (day, source, reason, field, whole, player, player_version)
);
