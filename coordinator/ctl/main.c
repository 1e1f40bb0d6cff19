#include "ctl_command.h"

int main(int argc, char **argv)
{
	return ctl_command(argc, argv, stdout, stderr);
}
