-- What happened on each day, so that the operator's overview counts nothing itself.
CREATE TABLE daily_counts (
    day        TEXT PRIMARY KEY, -- in UTC, such as 2026-11-27
    sign_ups   BIGINT NOT NULL,
    sign_ins   BIGINT NOT NULL,
    refused    BIGINT NOT NULL,
    active     BIGINT NOT NULL,
    sessions   BIGINT NOT NULL,
    throttles  BIGINT NOT NULL,
    counted_at TIMESTAMPTZ NOT NULL
);
