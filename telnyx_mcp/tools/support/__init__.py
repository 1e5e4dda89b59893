"""What several tools share: periods, filters, groups, rows, exports."""
