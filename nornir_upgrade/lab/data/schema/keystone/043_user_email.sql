UPDATE users SET email = JSON_VALUE(extra, '$.email') WHERE JSON_EXISTS(extra, '$.email');
