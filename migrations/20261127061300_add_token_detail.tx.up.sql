-- Which change the link in a notice reports, and what was done about it. NULL for links
-- that report none.
ALTER TABLE tokens ADD COLUMN detail TEXT;
