/** What ./uplot.js is in the browser: the charting library, which the daemon serves from its package. */
export { default } from 'uplot';
