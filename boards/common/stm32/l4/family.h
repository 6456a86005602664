/* STM32L4+ (RM0432, L4R5): what the shared drivers need to know. */
#ifndef MICROTUNE_FAMILY_H
#define MICROTUNE_FAMILY_H

#include "l4-g4.h"
#include "silicon.h"

#define SLOW_HZ 4000000u /* MSI after reset */
#define SW_SLOW 0u        /* the same in RCC_CFGR */
#define MORE_SUPPLIES (1u << 9) /* PWR_CR2, IOSV: VDDIO2 is there; without it PG2 to PG15 are cut off */

#endif
