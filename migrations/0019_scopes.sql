-- scopes
SELECT 1;
