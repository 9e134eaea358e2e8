"""What predictions are worth: scores of reasoning and answers, with honest intervals."""
