CREATE ROLE shop LOGIN PASSWORD '$password';
CREATE DATABASE shop OWNER shop;
\c shop
SET ROLE shop;
CREATE TABLE schema_version (number integer NOT NULL);
INSERT INTO schema_version VALUES (14);
CREATE TABLE items (id integer PRIMARY KEY, name text NOT NULL, cents integer NOT NULL);
INSERT INTO items SELECT n, 'Item ' || n, n * 10 FROM generate_series(1, 200) AS n;
