/* STM32G4 (RM0440, G474): what the shared drivers need to know. */
#ifndef MICROTUNE_FAMILY_H
#define MICROTUNE_FAMILY_H

#include "l4-g4.h"
#include "silicon.h"

#define SLOW_HZ 16000000u /* HSI16 after reset */

/* For l4/family.c, which starts this family as well. */
#define SW_SLOW 1u      /* RCC_CFGR: HSI16 */
#define MORE_SUPPLIES 0u

#endif
