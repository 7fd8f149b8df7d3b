"""`ganger bench`: what this machine does with ganger, case by case, beside yardsticks measured in the same
run.

case.py has the words; stage.py the servers and a supervisor on them; cases/ what is measured; targets.py
what is wanted of it. The command line is gangerd/cli/bench.py."""
