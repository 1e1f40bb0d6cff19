-- tenancy
SELECT 1;
