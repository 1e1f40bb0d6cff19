-- identity
SELECT 1;
