-- A table as an agency has it, and the view of it that others may see.
DROP VIEW IF EXISTS standing_trees;
DROP TABLE IF EXISTS tree;

CREATE TABLE tree (
    id INTEGER PRIMARY KEY,
    number VARCHAR(12) NOT NULL UNIQUE,
    species VARCHAR(60) NOT NULL,
    street VARCHAR(100) NOT NULL,
    planted_on DATE,
    height_m DECIMAL(4, 1),
    felled BOOLEAN NOT NULL DEFAULT FALSE,
    remarks TEXT
);

INSERT INTO tree (number, species, street, planted_on, height_m, felled, remarks) VALUES
    ('КВ-000001', 'Липа серцелиста', 'вулиця Хорива', '1987-04-12', 14.5, FALSE, 'Службова нотатка'),
    ('КВ-000002', 'Каштан кінський', 'вулиця Хорива', '1975-10-03', 18.2, FALSE, NULL),
    ('КВ-000003', 'Клен гостролистий', 'вулиця Хорива', '1990-04-20', 11.0, TRUE, 'Зрізано після бурі'),
    ('КВ-000004', 'Каштан кінський', 'Андріївський узвіз', '1969-10-17', 20.1, FALSE, NULL),
    ('КВ-000005', 'Горобина звичайна', 'Андріївський узвіз', NULL, 6.4, FALSE, NULL);

CREATE VIEW standing_trees AS
    SELECT number, species, street, planted_on, height_m FROM tree WHERE NOT felled;
