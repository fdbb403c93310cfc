// moe-dump: checks and describes a .moe file.
#include "moe_dump.h"

int main(int argc, char **argv) { return moert::tools::moeDumpMain(argc, argv); }
