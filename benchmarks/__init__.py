"""What the dashboard costs a reader: start-up, first chart, a control's answer, many at once."""
