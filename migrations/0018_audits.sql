-- audits
SELECT 1;
