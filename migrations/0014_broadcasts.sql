-- +goose Up

-- Custom measures of sessions: the canonical text of telemetry.Measures, which is
-- compared by its bytes where records claim the same number.
alter table sessions add column measures text collate "C" not null default '';

-- The state of one part of a broadcast: columns and rules of telemetry.Broadcast.
-- As with sessions, counters carry no index and pages keep room.
create table broadcasts (
    part                   bigint not null,
    identity_seq           bigint not null,
    first_recv_ms          bigint not null,
    last_mark_seq          bigint not null,
    last_mark_recv_ms      bigint not null,
    last_mark_client_ts_ms bigint not null,
    last_mark_mono_ms      bigint not null,
    live_ms                bigint not null,
    starvation_ms          bigint not null,
    starvation_n           bigint not null,
    starvation_max_ms      bigint not null,
    disconnects            bigint not null,
    bitrate_samples        bigint not null,
    bitrate_kbps_sum       bigint not null,
    bitrate_kbps2_sum      bigint not null,
    fps_short_ms           bigint not null,
    keyframe_ok_ms         bigint not null,
    frames_in              bigint not null,
    frames_dropped         bigint not null,
    latency_ms_sum         bigint not null,
    latency_samples        bigint not null,
    observed               integer not null,
    ended                  boolean not null,
    stream_id              text collate "C" not null,
    broadcaster_id         text collate "C" not null,
    channel_id             text collate "C" not null,
    region                 text collate "C" not null,
    protocol               text collate "C" not null,
    encoder                text collate "C" not null,
    encoder_version        text collate "C" not null,
    country                text collate "C" not null,
    end_reason             text collate "C" not null,
    measures               text collate "C" not null,
    stream_start_ms        bigint,
    primary key (stream_id, part)
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
create index broadcasts_broadcaster on broadcasts (broadcaster_id, first_recv_ms) where broadcaster_id <> '';

-- Named events of units, such as purchases, each once by its id. The key serves
-- the reads of a unit, too.
create table unit_events (
    day       date not null, -- of at_ms
    unit_type text not null,
    unit_id   text collate "C" not null,
    name      text collate "C" not null,
    event_id  text collate "C" not null,
    at_ms     bigint not null,
    recv_ms   bigint not null,
    value     double precision, -- null: none was given, the event only counts
    primary key (day, unit_id, unit_type, name, event_id)
) partition by range (day);
