// The default theme with the fonts of the reader's system: nothing is fetched, and
// Korean looks as it does elsewhere on that system.
import DefaultTheme from 'vitepress/theme-without-fonts'
import './style.css'

export default DefaultTheme
