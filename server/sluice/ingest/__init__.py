"""The doors: each checks a request, has it appended to the log, and answers for it. They do as little as possible."""
