// moe-run: runs a .moe file, generates text, measures.
#include "moe_run.h"

int main(int argc, char **argv) { return moert::tools::moeRunMain(argc, argv); }
