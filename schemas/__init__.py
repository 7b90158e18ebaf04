"""What a survey programme is: forms, indicators, rules, tables as data, and one generator a file. Imports nothing of ours."""
