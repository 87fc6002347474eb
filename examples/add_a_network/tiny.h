#pragma once
#include "limbic/limbic.hpp"

namespace limbic {

/// The network that docs/add_a_network.md declares.
extern const models::Architecture tiny;

}  // namespace limbic
