/** The words of drawn container names. Every pair must read well: friendly adjectives, people of science and craft. */

/** What the people are. */
export const ADJECTIVES: readonly string[] = words(`
  able agile alert amber ample apt balanced brisk bright bold breezy calm candid careful cheerful clear clever cosmic
  crisp curious daring deft diligent eager earnest elegant fair fearless fluent frank gentle genial glad graceful
  handy hardy honest hopeful humble inventive jovial keen kind lively lucid lucky merry mindful modest neat nimble
  noble open patient placid polite prompt proud quick quiet radiant ready serene sharp sincere smart steady stellar
  sunny swift tidy tranquil upbeat vivid warm wise witty zesty
`);

/** Who they are: mathematicians, physicists, chemists, biologists, astronomers, engineers, computer scientists. */
export const SURNAMES: readonly string[] = words(`
  abel agnesi allen alhazen ampere archimedes avicenna babbage bardeen bassi bernoulli bohr boole brahe
  brunel carson cauchy cerf chandrasekhar clarke codd copernicus cori curie daubechies dijkstra einstein elion engelbart
  euclid euler faraday fermat fermi feynman fourier franklin galileo galois gauss germain goodall hamilton hamming
  herschel hertz hilbert hodgkin hopper hypatia johnson joliot kepler khwarizmi knuth kovalevskaya lamarr lamport
  leavitt leibniz linnaeus liskov lovelace maxwell mcclintock meitner mendel mendeleev mirzakhani newton noether
  pascal pasteur perlman planck ptolemy ramanujan ritchie rubin sagan shannon somerville tesla thompson turing
  volta wilkes wu yalow yonath zuse
`);

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
