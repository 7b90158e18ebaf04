"""Published marts become files that people and programs use. Imports schemas and warehouse."""
