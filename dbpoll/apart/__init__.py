"""Sources in a process of their own.

A hospital's database is reached through a driver that we did not write. One that crashes, or
computes without letting go of the interpreter, harms here the other sources at most, for as long as
it takes to start the process anew; and the polling has an interpreter for itself.

    calls      two processes ask each other over two pipes
    __main__   the process that polls: `python -m dbpoll.apart`
    poller     the other one, which starts it and speaks with its sources
"""
