// program: the command `limbic`, all verbs together: those of cli, and of the rooms around.
#include "limbic/program/limbic_main.h"

int main(int argc, char** argv) { return limbic::limbic_main(argc, argv); }
