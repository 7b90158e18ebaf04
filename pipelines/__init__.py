"""Use cases, statistical methods and their orchestration. Imports schemas, sources, warehouse, exports."""
