-- logins
SELECT 1;
