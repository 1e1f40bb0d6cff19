-- primaries
SELECT 1;
