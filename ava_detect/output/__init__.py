"""Results -> AVA rows, tables, JSON, the annotated video; the journal that a run can go on from."""
