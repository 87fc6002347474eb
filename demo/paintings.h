#pragma once
#include <string>
#include <vector>

#include "limbic/core/random.h"
#include "limbic/io/picture.h"

namespace limbic::demo {

/// How paintings are drawn.
struct PaintOptions {
  int64_t size = 48;  ///< Side in pixels.
  /// 0-1: how likely a painting borrows from the style of an emotion near its own in the plane of
  /// pleasure and arousal, and how far its colours and lines stray from their means.
  double noise = 0.5;
  /// 0-1: the part of the paintings whose central object is one of the two that suit the emotion;
  /// the others show any kind.
  double object_share = 0.45;
};

/// A folder of paintings.
struct PaintSet {
  int64_t per_class = 100;
  uint64_t seed = 0;
  PaintOptions paint;
};

/// amusement anger awe contentment disgust excitement fear sadness.
const std::vector<std::string>& painted_emotions();
/// The kinds of central object, in alphabetical order.
const std::vector<std::string>& painted_objects();
/// The two kinds of painted_objects() that suit an emotion.
std::vector<std::string> objects_that_suit(const std::string& emotion);

/// A painting: an abstract ground of colours, lines and stains around a central object.
struct Painting {
  io::Picture picture;
  std::string object;  ///< Of painted_objects().
};

/// Paints one of painted_emotions(). Colours: an emotion has a pleasure P and an arousal A, from
/// which brightness and saturation follow by P = 0.69 B + 0.22 S and A = -0.31 B + 0.60 S (Valdez
/// and Mehrabian 1994, standardised); lines: horizontal ones calm, oblique ones move, vertical ones
/// rise; the object: objects_that_suit(), as `object_share` says. Throws Error on an unknown name
/// or on options out of range.
Painting paint(const std::string& emotion, const PaintOptions& options, Random& random);
/// The same with the central object named: an adjective-noun pair, "angry tree".
io::Picture paint_pair(const std::string& emotion, const std::string& kind,
                       const PaintOptions& options, Random& random);
/// One of painted_objects() on a ground that follows no emotion.
io::Picture paint_object(const std::string& kind, const PaintOptions& options, Random& random);

/// Writes directory/<emotion>/0000.png ... for all emotions, the same bytes for the same seed
/// whatever the threads are. Throws Error where a file cannot be written.
void paint_dataset(const std::string& directory, const PaintSet& set);
/// Writes directory/<kind>/0000.png ... of paint_object.
void paint_object_dataset(const std::string& directory, const PaintSet& set);

}  // namespace limbic::demo
