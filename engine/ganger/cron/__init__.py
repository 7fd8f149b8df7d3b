"""Cron: jobs that come by the clock. expression: when; entry: what; due: ticks that passed."""
