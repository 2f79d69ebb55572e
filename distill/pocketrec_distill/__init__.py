"""From tables of interactions to a verified bundle: data, teachers, students, export, report."""
