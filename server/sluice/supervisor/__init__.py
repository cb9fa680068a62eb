"""`sluice up`: starts the processes of a service, watches over them, tells how they are, and lets them go in order."""
