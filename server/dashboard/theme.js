// @ts-check
/** Light or dark: as the system has it, until the user says otherwise in this browser. Charts listen to 'themechange'. */
const key = 'microtune-theme';
const system = matchMedia('(prefers-color-scheme: dark)');
const now = () => localStorage.getItem(key) ?? (system.matches ? 'dark' : 'light');

export function useTheme() {
  document.documentElement.dataset.theme = now();
  system.addEventListener('change', apply);
}
export function toggleTheme() {
  localStorage.setItem(key, now() === 'dark' ? 'light' : 'dark');
  apply();
}
function apply() {
  document.documentElement.dataset.theme = now();
  document.dispatchEvent(new Event('themechange'));
}
