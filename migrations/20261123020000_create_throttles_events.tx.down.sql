DROP TABLE events;

--bun:split

DROP TABLE throttles;
