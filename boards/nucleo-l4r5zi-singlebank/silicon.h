/* The same board with the option bit DBANK cleared (RM0432, FLASH_OPTR): only the flash is read otherwise. */
#include "../nucleo-l4r5zi/silicon.h"
