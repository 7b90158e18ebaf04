"""What arrives from parks and what goes back: guard, reader, template, audit run, marked workbook. Imports schemas."""
