"""Runs in other processes, on this machine or on many: workers pull blocks, files carry results.

A run folder holds all that passes between the processes. `plan/` says what is to be trained,
`claims/` who trains it, `inbox/` what has come of it. One process, the driver, opens the store.
Everything may happen twice, and any process may die at any moment.
"""
