-- +goose Up

-- When the last stall of a session ended, and its minutes by live latency: the
-- canonical text of telemetry.LatencyMinutes.
alter table sessions
    add column since_stall_ms bigint not null default 0,
    add column latency_minutes text collate "C" not null default '';
