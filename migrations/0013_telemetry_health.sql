-- +goose Up

-- Records taken and refused, by the minute of their receipt, summed over all
-- servers.
create table ingest_counts (
    minute   timestamptz not null,
    source   text not null check (source in ('heartbeat', 'cmcd', 'request_log', 'broadcast', 'event')),
    accepted bigint not null,
    refused  bigint not null,
    primary key (minute, source)
);

alter table rejections drop constraint rejections_source_check;
alter table rejections add constraint rejections_source
    check (source in ('heartbeat', 'cmcd', 'request_log', 'broadcast', 'event', 'exposure'));

-- Finds the sessions that began lately: rows come in about that order, so that
-- an index of ranges of pages is enough, and updates of counters do not touch it.
create index sessions_begun on sessions using brin (first_recv_ms) with (pages_per_range = 32, autosummarize = on);
